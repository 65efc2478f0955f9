# Prints what zsh's own completion offers for the line in $1: an interactive zsh in a terminal of its own, whose `compadd`
# tells what it is given.
zmodload zsh/zpty
line=$1
export FOUND=$(mktemp)
tell() {
    zpty -w inner "$1"
}
zpty inner zsh -f -i
tell 'PS1= PS2= RPS1=; unsetopt zle_bracketed_paste 2>/dev/null; stty -echo'
tell 'autoload -Uz compinit; compinit -u -D; source <(dimmer completion zsh)'
tell 'compadd() { local -a found; builtin compadd -O found "$@"; builtin compadd "$@"; print -rl -- "${found[@]/#/FOUND }" >> $FOUND }'
tell 'show() { : > $FOUND; BUFFER=$LINE; CURSOR=${#BUFFER}; zle complete-word; BUFFER=; print END >> $FOUND }'
tell 'zle -N show; zle -C complete-word complete-word _main_complete; bindkey "^X" show'
tell "LINE=${(qq)line}"
zpty -w -n inner $'\C-x'
for try in {1..200}; do
    grep -q '^END$' $FOUND 2>/dev/null && break
    sleep 0.1
done
zpty -d inner
sed -n 's/^FOUND //p' $FOUND | sort -u
rm -f $FOUND
