/**
 * Requests are checked by the shapes of their routes: ajv and fast-json-stringify, which Fastify would load and which
 * write code at run time, stay out of the process (docs/adr/0028-one-shape-one-schema.md).
 */
import type { FastifyServerOptions } from 'fastify';
import { Mismatch, type Shape } from '../../memory/shape.ts';

declare module 'fastify' {
  interface FastifySchema {
    /** Routes are given operations (operations.ts). */
    operationId?: string;
  }
}

/** A part of a request hasn't the shape that its route takes. */
export class MalformedRequest extends Error {}

type Part = { readonly schema: Shape<unknown>; readonly httpPart: string };

/** What Fastify calls for each part of a request that a route gives a shape; handlers get what was read. */
const compileShape = ({ schema, httpPart }: Part) => {
  return (part: unknown) => {
    const read = schema.read(part);
    return read instanceof Mismatch
      ? { error: new MalformedRequest(read.in(httpPart).explain(httpPart)) }
      : { value: read };
  };
};

/** Fastify's own type of it speaks of ajv. */
export const schemaController = {
  compilersFactory: { buildValidator: () => compileShape, buildSerializer: () => () => JSON.stringify },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>;
