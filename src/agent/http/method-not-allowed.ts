/** Which methods a path has, for those who come with another one. */
import type { DeclaredRoute } from './api-document.ts';

const patternOf = (url: string): RegExp =>
  new RegExp(`^${url.replaceAll('.', '\\.').replaceAll(/:[A-Za-z]+/g, '[^/]+')}$`);

/**
 * Finds the methods of a path without its query, in the order in which they are declared; none: there is no such path.
 * @param routes may still grow until the first question
 */
export function createMethodFinder(routes: readonly DeclaredRoute[]): (path: string) => readonly string[] {
  let compiled: readonly { readonly method: string; readonly pattern: RegExp }[] | null = null;
  return (path) => {
    compiled ??= routes.map(({ method, url }) => ({ method, pattern: patternOf(url) }));
    return compiled.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
  };
}
