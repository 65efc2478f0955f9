import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../../lab/control-plane.ts';
import { describeLab } from '../../lab/describe.ts';
import { readContents, restoreContents } from '../../lab/etcd.ts';
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

    test('what a test has left is taken out again under the eyes of the API server, which goes on', async () => {
      const { api, kubectlOk, connectToEtcd } = controlPlane;
      const etcd = connectToEtcd();
      const contents = await readContents(etcd);
      await kubectlOk(['create', 'namespace', 'left']);
      await kubectlOk(['create', 'configmap', 'left', '-n', 'left', '--from-literal=a=1']);
      await kubectlOk(['label', 'namespace', 'default', 'left=here']);
      await kubectlOk(['delete', 'clusterrole', 'view']);
      await waitFor(async () => (await restoreContents(etcd, contents)) === 0, {
        ...{ what: 'nothing to be left to do', timeoutMs: 30_000, intervalMs: 100 },
      });
      expect((await api.ask('/api/v1/namespaces/left')).status).toBe(404);
      expect((await api.ask('/api/v1/namespaces/left/configmaps/left')).status).toBe(404);
      expect(await api.read('/api/v1/namespaces/default')).not.toHaveProperty('metadata.labels.left');
      const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
      expect((await api.ask(`${roles}/view`)).status).toBe(200);
      const cached = async (): Promise<string> => JSON.stringify(await api.read(`${roles}?resourceVersion=0`));
      await waitFor(async () => (await cached()).includes('"name":"view"'), {
        ...{ what: 'its cache to have it', timeoutMs: 20_000, details: cached },
      });
      await kubectlOk(['create', 'namespace', 'left']);
      etcd.close();
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
