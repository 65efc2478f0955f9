/** What the agent says where something can't be done. */
import { absentAs, described, type JsonSchema, object, type Shape, whole as wholeOf } from '../../../memory/shape.ts';
import { type HostErrorCode, hostErrorTable, problemTypePrefix } from '../../errors.ts';
import { text, textOf } from './words.ts';

const problemCodes = (Object.keys(hostErrorTable) as HostErrorCode[]).filter(
  (code) => hostErrorTable[code].status !== null,
);
/** What the client reads more freely than agents of today write: `code` and `type` may be those of a newer one. */
const written = <T>(shape: Shape<T>, schema: JsonSchema): Shape<T> => ({ ...shape, schema });

export const problem = described(
  object({
    type: written(absentAs('', textOf()), {
      ...{ type: 'string', format: 'uri', description: `${problemTypePrefix} and the code; programs go by this` },
    }),
    title: absentAs('', text('What the code stands for')),
    status: written(absentAs(0, wholeOf()), {
      ...{ type: 'integer', minimum: 400, maximum: 599, description: 'The HTTP status' },
    }),
    code: written(textOf(), {
      ...{ type: 'string', enum: problemCodes },
      description: 'The same code, or one of 0.1.0 that comes nearest',
    }),
    detail: text('What happened, for people'),
    instance: written(absentAs('', textOf()), {
      ...{ type: 'string', format: 'uri', description: 'urn:request: and the id of the request' },
    }),
  }),
  'A problem document (RFC 9457)',
);
