import manifest from '../../package.json' with { type: 'json' };

/** The program's version, as package.json has it. */
export const { version } = manifest;

/** The oldest major version of Node that runs the program, as package.json has it. */
export const requiredNode = Number(manifest.engines.node.replace('>=', ''));
