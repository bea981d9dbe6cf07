import { createServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { KafkaLog } from '../../../../services/platform/kafka/log.ts';

const server = createServer();
afterEach(() => new Promise((resolve) => server.close(resolve)));

it('takes a line that breaks during a login for a broker that is away, not for one that refuses', async () => {
  // Says what it speaks, and that it knows the mechanism, as any broker does first; then hangs up on the login.
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('data', (request) => {
      const answer = ANSWERS[request.readInt16BE(4)];
      if (answer === undefined) return socket.destroy();
      return socket.write(framed(request.readInt32BE(8), answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const log = new KafkaLog({
    brokers: [`127.0.0.1:${port}`],
    clientId: 'test',
    sasl: { mechanism: 'scram-sha-512', username: 'learner', password: 'right' },
    logger: { warn: () => {}, debug: () => {} },
  });
  try {
    await expect(log.admin.partitionCount('decisions')).rejects.toMatchObject({ code: 'log-unavailable' });
  } finally {
    await log.close();
  }
});

/** By the number of the request: versions 0 to 1 of these three, and the mechanism's name. */
const ANSWERS: Readonly<Record<number, Buffer>> = {
  18: Buffer.of(0, 0, 0, 0, 0, 3, ...[17, 18, 36].flatMap((key) => [0, key, 0, 0, 0, 1]), 0, 0, 0, 0),
  17: Buffer.concat([Buffer.of(0, 0, 0, 0, 0, 1, 0, 13), Buffer.from('SCRAM-SHA-512')]),
};

function framed(correlationId: number, answer: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + answer.length);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, answer]);
}
