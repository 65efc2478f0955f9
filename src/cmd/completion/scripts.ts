/** The scripts that shells load: they ask the program itself, `dimmer __complete WORD...`, so that they never grow old. */

export const shells = ['bash', 'zsh', 'fish', 'kubectl'] as const;
export type Shell = (typeof shells)[number];

const bash = String.raw`# bash completion for dimmer. Load it with: source <(dimmer completion bash)
_dimmer() {
    local cur="${'$'}{COMP_WORDS[COMP_CWORD]}" directive=4 line
    # bash splits words at "=".
    [[ $cur == "=" ]] && cur=""
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :*) directive=${'$'}{line#:} ;;
            *)
                line=${'$'}{line%%$'\t'*}
                [[ $line == "$cur"* ]] && COMPREPLY+=("$line")
                ;;
        esac
    done < <("${'$'}{COMP_WORDS[0]/#\~/$HOME}" __complete "${'$'}{COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    case $directive in
        0) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        16) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    esac
}
complete -F _dimmer dimmer
`;

const zsh = String.raw`#compdef dimmer
# zsh completion for dimmer. Load it with: source <(dimmer completion zsh)
# or write it to a file _dimmer in a directory of $fpath.
_dimmer() {
    local -a described
    local directive=4 line
    while IFS= read -r line; do
        case $line in
            :*) directive=${'$'}{line#:} ;;
            *)
                # A colon would begin the description.
                local value=${'$'}{line%%$'\t'*} about=""
                [[ $line == *$'\t'* ]] && about=${'$'}{line#*$'\t'}
                described+=("${'$'}{value//:/\\:}${'$'}{about:+:$about}")
                ;;
        esac
    done < <("${'$'}{(Q)words[1]}" __complete "${'$'}{(@Q)words[2,CURRENT]}" 2>/dev/null)
    [[ $PREFIX == --*=* ]] && compset -P '--*='
    case $directive in
        0) _files ;;
        16) _files -/ ;;
        *) _describe -t values dimmer described ;;
    esac
}
if [ "${'$'}{funcstack[1]}" = "_dimmer" ]; then
    _dimmer "$@"
else
    compdef _dimmer dimmer
fi
`;

const fish = String.raw`# fish completion for dimmer. Load it with: dimmer completion fish | source
function __dimmer_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l prefix ""
    if string match -qr -- '^--[^=]+=' "$current"
        set prefix (string replace -r -- '^(--[^=]+=).*' '$1' "$current")
    end
    set -l answer (command $words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    switch "$answer[-1]"
        case ":0"
            __fish_complete_path (string replace -- "$prefix" "" "$current") | string replace -r '^' -- "$prefix"
        case ":16"
            __fish_complete_directories (string replace -- "$prefix" "" "$current") | string replace -r '^' -- "$prefix"
        case "*"
            for line in $answer[1..-2]
                echo "$prefix$line"
            end
    end
end
complete -c dimmer -e
complete -c dimmer -f -a "(__dimmer_complete)"
`;

const kubectl = `#!/bin/sh
# Completes 'kubectl dimmer': kubectl looks for kubectl_complete-dimmer on the PATH.
exec kubectl-dimmer __complete "$@"
`;

/** What `dimmer completion SHELL` prints. */
export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish, kubectl };
