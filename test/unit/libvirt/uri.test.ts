import { describe, expect, test } from 'vitest';
import { parseLibvirtUri } from '../../../src/libvirt/uri.ts';

describe('parseLibvirtUri', () => {
  const sockets = ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock'];
  test.each([
    ['qemu:///system', sockets, 'qemu:///system'],
    ['qemu+unix:///system', sockets, 'qemu:///system'],
    ['qemu:///system?socket=/srv/lab/libvirt-sock', ['/srv/lab/libvirt-sock'], 'qemu:///system'],
    ['qemu+unix:///system?socket=%2Fsrv%2Fa%20b', ['/srv/a b'], 'qemu:///system'],
    ['test:///default?socket=/x', ['/x'], 'test:///default'],
  ])('reads %s', (uri, expected, openUri) => {
    expect(parseLibvirtUri(uri)).toEqual({ ok: true, value: { transport: 'unix', sockets: expected, openUri } });
  });

  test.each([
    ['', 'not a libvirt URI'],
    ['/run/libvirt/libvirt-sock', 'not a libvirt URI'],
    ['xen:///system', 'not a libvirt URI'],
    ['qemu://host/system', 'names a host'],
    ['qemu+unix://host/system', 'names a host'],
    ['qemu+ssh://host/system', "transport 'ssh'"],
    ['qemu:///session', 'not supported'],
    ['qemu:///system?socket=relative', 'not an absolute path'],
    ['qemu:///system?no_verify=1', "parameter 'no_verify'"],
  ])('refuses %s and says why', (uri, problem) => {
    expect(parseLibvirtUri(uri)).toEqual({ ok: false, problem: expect.stringContaining(problem) as string });
  });
});
