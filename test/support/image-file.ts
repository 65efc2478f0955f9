/**
 * The Dockerfile's last stage, which is what the image holds: read here for tests that need no container engine, and compared
 * with what one makes of it. Of the format only what that stage uses; anything else is refused, so that nothing of it is overlooked.
 */
export type ImageFile = {
  readonly base: string;
  readonly labels: Readonly<Record<string, string>>;
  /** From the stage before. */
  readonly copies: readonly { readonly from: readonly string[]; readonly to: string }[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly ports: readonly number[];
  readonly workingDirectory: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
};

/** Pure. */
export function readImageFile(text: string): ImageFile {
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => /^([A-Z]+)\s+(.*)$/.exec(line.trim()))
    .flatMap((match) => (match === null ? [] : [{ word: match[1] ?? '', rest: match[2] ?? '' }]));
  const last = lines.findLastIndex(({ word }) => word === 'FROM');
  const variables: Record<string, string> = {};
  const declare = (rest: string): void => {
    const [name = '', value = ''] = rest.split(/=(.*)/s);
    variables[name] ??= value;
  };
  for (const { rest } of lines.slice(0, last).filter(({ word }) => word === 'ARG')) declare(rest);
  const filled = (value: string): string =>
    value.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => variables[name] ?? '');
  const image = {
    ...{
      base: filled(lines[last]?.rest ?? ''),
      labels: {} as Record<string, string>,
      env: {} as Record<string, string>,
    },
    copies: [] as { from: string[]; to: string }[],
    ...{ user: '', ports: [] as number[], workingDirectory: '/', entrypoint: [] as string[], command: [] as string[] },
  };
  for (const { word, rest } of lines.slice(last + 1)) {
    switch (word) {
      case 'ARG':
        declare(rest);
        break;
      case 'LABEL':
        Object.assign(image.labels, pairsOf(rest, filled));
        break;
      case 'ENV':
        Object.assign(image.env, pairsOf(rest, filled));
        break;
      case 'COPY': {
        const [option, ...paths] = rest.split(/\s+/);
        if (option !== '--from=build') throw new Error(`COPY ${rest}: only from the stage before`);
        image.copies.push({ from: paths.slice(0, -1), to: paths.at(-1) ?? '' });
        break;
      }
      case 'WORKDIR':
        image.workingDirectory = rest;
        break;
      case 'USER':
        image.user = rest;
        break;
      case 'EXPOSE':
        image.ports.push(...rest.split(/\s+/).map(Number));
        break;
      case 'ENTRYPOINT':
        image.entrypoint = JSON.parse(rest) as string[];
        break;
      case 'CMD':
        image.command = JSON.parse(rest) as string[];
        break;
      default:
        throw new Error(`the Dockerfile's last stage has ${word}, which is not read here`);
    }
  }
  return image;
}

const pairsOf = (text: string, filled: (value: string) => string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g)].map(([, name = '', quoted, plain]) => [
      name,
      filled(quoted ?? plain ?? ''),
    ]),
  );
