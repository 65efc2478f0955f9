/** Where things are in the agent's API. */

export const domainsPath = '/v1/domains';
export const memoryPath = (uuid: string): string => `${domainsPath}/${encodeURIComponent(uuid)}/memory`;
export const modulesPath = (uuid: string): string => `${memoryPath(uuid)}/modules`;
