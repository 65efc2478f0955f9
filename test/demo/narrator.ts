/** Telling a story on the terminal: what is done, what the programs answer, what the guest says. */

const isColourful = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
const paint = (code: number, text: string): string => (isColourful ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = (text: string): string => paint(1, text);
const dim = (text: string): string => paint(2, text);

/** Prints lines as they are. */
export const say = (text = ''): void => console.log(text);

let chapters = 0;

/** Begins a chapter. */
export function chapter(title: string): void {
  chapters += 1;
  say(`\n${bold(`${chapters}. ${title}`)}`);
}

/** Shows a command as a person would have typed it. */
export const command = (text: string): void => say(`   ${bold('$')} ${text}`);

/** Shows what a program answered, indented; nothing when it said nothing. */
export function answer(text: string): void {
  for (const line of text.trimEnd().split('\n')) if (line !== '') say(`   ${line}`);
}

/** A remark to what is seen. */
export const remark = (text: string): void => say(dim(`   # ${text}`));
