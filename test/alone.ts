/**
 * Files of test/integration beside which no other test runs, each with the reason. All others run four at a time: what a
 * lab has is its own (ports, directories, sockets, namespaces, control groups), and what it shares it locks.
 */
export const alone: Readonly<Record<string, string>> = {
  'test/integration/agent/no-hugetlbfs.test.ts': "adds to the machine's pool of huge pages",
  'test/integration/agent/numa-huge-pages.test.ts': "counts the free pages of the machine's pool of huge pages",
  'test/integration/agent/strangers.test.ts': 'must send requests faster than a rate that refills with time',
  'test/integration/lab/hypervisor.test.ts': "reads the size of the machine's pool of huge pages",
  'test/integration/kubernetes/source.test.ts': 'measures milliseconds from a write to its delivery',
  'test/integration/line/many-at-once.test.ts': 'measures how long 500 resizes take, with both cores at work',
};
