/** Croupier on a cluster as one runs it: three brokers, TLS, logins, and for each role the access that it needs alone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokerIsOurs } from '../support/broker-process.ts';
import { SecureCluster } from '../support/cluster/secure-cluster.ts';
import { post } from '../support/decider.ts';
import { Installation } from '../support/installation.ts';
import { Load } from '../support/load.ts';
import { until } from '../support/until.ts';

const PARTITIONS = 3;
const START_MS_MAX = 180_000;

// Brokers run as processes here, as those of the local stack do unless Docker runs them.
describe.skipIf(!(await brokerIsOurs()))('a cluster of three brokers with logins and least access', () => {
  let cluster: SecureCluster;
  let installation: Installation;
  let load: Load;

  beforeAll(async () => {
    cluster = await SecureCluster.start();
    // The test itself comes in by the back door: it sees and removes what no role may.
    process.env.KAFKA_BROKERS = cluster.backDoor.join(',');
    installation = await Installation.create({
      name: 'secure',
      partitions: PARTITIONS,
      replication: 3,
      experiments: ['deploy/examples/home-banner.yaml'],
      environment: cluster.environment('operator'),
      prepare: (prefix) => cluster.grant(prefix),
    });
    load = new Load(installation, PARTITIONS);
  }, START_MS_MAX);
  afterAll(async () => {
    await load?.close();
    await installation?.close();
    await cluster?.stop();
  }, START_MS_MAX);

  it(
    'learns and decides through the loss of a broker as if it had not been',
    async () => {
      const learner = await installation.startLearner({
        ...cluster.environment('learner'),
        CROUPIER_LEARNER_SESSION_TIMEOUT: '6s',
        CROUPIER_LEARNER_COMMIT_INTERVAL: '20ms',
      });
      const decider = await installation.startDecider(cluster.environment('decider'));
      const decide = (userId: string) =>
        post(decider.httpPort, '/v1/decide', { experiment_id: 'home-banner', unit_id: userId });
      expect((await decide('before')).status).toBe(200);
      const stopSending = load.keepSending();
      const [leader] = await cluster.leaders(installation.topics.decisions);
      cluster.kill(leader!);
      const moved = async () => !(await cluster.leaders(installation.topics.decisions)).includes(leader!);
      await until('other brokers lead', moved, 60_000);
      expect((await decide('between')).status).toBe(200);
      await cluster.startAgain(leader!);
      await stopSending();
      expect(await load.contradictions()).toEqual([]);
      expect(await decider.stop()).toBe(0);
      expect(await learner.stop()).toBe(0);
    },
    START_MS_MAX,
  );

  it('writes to no partition of which fewer than two copies are in step', async () => {
    const settings = await cluster.settingsOf(installation.topics.decisions);
    expect(settings.get('min.insync.replicas')).toBe('2');
  });

  it('passes the doctor with the access of an operator', async () => {
    await expect(installation.croupier('doctor')).resolves.toContain('all well');
  });

  it.each([
    ['a wrong password', 'not-authorized', { KAFKA_SASL_PASSWORD: 'guessed' }],
    ['a cluster that nobody vouches for', 'log-unavailable', { NODE_EXTRA_CA_CERTS: '' }],
  ])('says so of %s', async (_what, code, environment) => {
    await expect(installation.croupierWith(environment, 'experiments', 'list')).rejects.toThrow(code);
  });

  it('lets no learner in with the access of another role, and says so', async () => {
    const asDecider = cluster.environment('decider');
    await expect(installation.startLearner(asDecider)).rejects.toThrow(/not-authorized/);
  });

  it('refuses what a role was not given, and names it', async () => {
    const asDecider = cluster.environment('decider');
    const apply = installation.croupierWith(asDecider, 'experiments', 'apply', 'deploy/examples/landing-page.yaml');
    await expect(apply).rejects.toThrow(new RegExp(`not-authorized.*${installation.topics.experiments}`));
  });
});
