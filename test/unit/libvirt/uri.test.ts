import { describe, expect, test } from 'vitest';
import { parseLibvirtUri } from '../../../src/libvirt/rpc/uri.ts';

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

  const system = {
    ca: '/etc/pki/CA/cacert.pem',
    cert: '/etc/pki/libvirt/clientcert.pem',
    key: '/etc/pki/libvirt/private/clientkey.pem',
  };
  const own = { ca: '/srv/pki/cacert.pem', cert: '/srv/pki/clientcert.pem', key: '/srv/pki/clientkey.pem' };
  test.each([
    ['qemu+tls://hv-07.example.net/system', 'hv-07.example.net', 16514, system],
    ['qemu+tls://hv-07:1234/system?pkipath=/srv/pki', 'hv-07', 1234, own],
    ['qemu+tls://192.0.2.1/system?pkipath=/srv/pki/', '192.0.2.1', 16514, own],
    ['qemu+tls://[2001:db8::1]:1/system', '2001:db8::1', 1, system],
  ])('reads %s', (uri, host, port, files) => {
    expect(parseLibvirtUri(uri)).toEqual({
      ok: true,
      value: { transport: 'tls', host, port, files, openUri: 'qemu:///system' },
    });
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
    ['qemu+tls://host/system?no_verify=1', "parameter 'no_verify'"],
    ['qemu+tls://host/system?socket=/x', "parameter 'socket'"],
    ['qemu+tls:///system', 'names no host'],
    ['qemu+tls://host:0/system', 'names no host'],
    ['qemu+tls://host:99999/system', 'names no host'],
    ['qemu+tls://user@host/system', 'names no host'],
    ['qemu+tls://host/system?pkipath=pki', 'not an absolute path'],
  ])('refuses %s and says why', (uri, problem) => {
    expect(parseLibvirtUri(uri)).toEqual({ ok: false, error: expect.stringContaining(problem) as string });
  });
});
