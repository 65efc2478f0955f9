import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../../lab/control-plane.ts';
import { describeLab } from '../../lab/describe.ts';
import { waitFor } from '../../lab/wait.ts';

await describeLab(
  'control plane of the lab',
  () => {
    let controlPlane: ControlPlane;

    beforeAll(async () => {
      controlPlane = await startControlPlane();
    });

    afterAll(async () => {
      await controlPlane.stop();
    });

    test('answers kubectl version, client and server of one version', async () => {
      const { clientVersion, serverVersion } = JSON.parse(
        await controlPlane.kubectlOk(['version', '--output=json']),
      ) as Record<string, { gitVersion: string }>;
      expect(serverVersion?.gitVersion).toMatch(/^v1\.\d+\.\d+$/);
      expect(clientVersion?.gitVersion).toBe(serverVersion?.gitVersion);
    });

    test('a service account may do what RBAC grants it and no more', async () => {
      const admin = controlPlane.kubectlOk;
      await admin(['create', 'namespace', 'team-a']);
      await admin(['create', 'serviceaccount', 'robot', '--namespace=team-a']);
      const kubeconfig = await controlPlane.createKubeconfigForServiceAccount('team-a', 'robot');
      const read = ['get', 'configmaps', '--namespace=team-a'];
      expect((await controlPlane.kubectl(read, { kubeconfig })).stderr).toContain('forbidden');
      // Not the cluster role `view`: aggregated roles are filled by the controller manager, which is not here.
      await admin(['create', 'role', 'reader', '--namespace=team-a', '--verb=list', '--resource=configmaps']);
      const grant = ['--role=reader', '--serviceaccount=team-a:robot'];
      await admin(['create', 'rolebinding', 'robot', '--namespace=team-a', ...grant]);
      // The API server's authorizer watches for bindings and learns of a new one a little later.
      await waitFor(async () => (await controlPlane.kubectl(read, { kubeconfig })).code === 0, {
        what: 'the role binding to take effect',
        timeoutMs: 10_000,
      });
      const elsewhere = ['get', 'configmaps', '--namespace=default'];
      expect((await controlPlane.kubectl(elsewhere, { kubeconfig })).stderr).toContain('forbidden');
    });

    test('a killed API server comes back on the same port with its data', async () => {
      await controlPlane.kubectlOk(['create', 'configmap', 'kept', '--from-literal=a=1']);
      await controlPlane.killApiServer();
      const kept = ['get', 'configmap', 'kept', '--output=jsonpath={.data.a}'];
      expect((await controlPlane.kubectl(kept)).code).not.toBe(0);
      await controlPlane.restartApiServer();
      expect(await controlPlane.kubectlOk(kept)).toBe('1');
    });

    test('certificates carry the names asked for, and may be expired', async () => {
      const { certFile } = await controlPlane.pki.issue({
        name: 'expired',
        dns: ['host.example'],
        ip: ['192.0.2.1'],
        uri: ['spiffe://lab/agent'],
        notAfter: new Date('2020-02-29T12:00:00Z'),
      });
      const certificate = new X509Certificate(readFileSync(certFile));
      expect(certificate.subject).toBe('CN=expired');
      expect(certificate.validToDate).toEqual(new Date('2020-02-29T12:00:00Z'));
      expect(certificate.subjectAltName).toBe('DNS:host.example, IP Address:192.0.2.1, URI:spiffe://lab/agent');
      expect(certificate.verify(new X509Certificate(controlPlane.caPem).publicKey)).toBe(true);
    });
  },
  ['control-plane'],
);
