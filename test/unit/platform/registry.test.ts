/** The registry client against a server that answers as told; the real one is in test/integration. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { RegistryClient } from '../../../services/platform/registry/client.ts';

type Answer = { readonly status: number; readonly body: unknown } | 'never';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function registry(answer: (request: IncomingMessage, count: number) => Answer) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
    const answered = answer(request, requests.length);
    if (answered === 'never') return;
    response.writeHead(answered.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answered.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`;
  const options = { url, auth: { username: 'u', password: 'p' }, timeoutMs: 2_000, triesMax: 2 };
  return { requests, options };
}

it('a registry that fails once is asked again', async () => {
  const { options, requests } = await registry((_, count) =>
    count === 1 ? { status: 503, body: {} } : { status: 200, body: [1, 2] },
  );
  expect(await new RegistryClient(options).versions('a/b')).toEqual([1, 2]);
  expect(requests).toEqual(Array(2).fill('GET /base/subjects/a%2Fb/versions?deleted=true Basic dTpw'));
});

it('a registry that goes on failing, is away or never answers is unavailable', async () => {
  const failing = await registry(() => ({ status: 500, body: { message: 'broken' } }));
  const silent = await registry(() => 'never');
  const clients = [
    failing.options,
    { ...silent.options, timeoutMs: 50 },
    { ...failing.options, url: 'http://127.0.0.1:1' },
  ].map((options) => new RegistryClient(options));
  for (const client of clients) {
    const unavailable = expect.objectContaining({ name: 'Unavailable', code: 'registry-unavailable' });
    await expect(client.versions('s')).rejects.toEqual(unavailable);
    await expect(client.idOf('s', '"int"')).rejects.toEqual(unavailable);
  }
  expect(failing.requests).toHaveLength(4);
});

it('a refusal is not tried again', async () => {
  const { options, requests } = await registry(() => ({ status: 401, body: { message: 'who?' } }));
  await expect(new RegistryClient(options).versions('s')).rejects.toMatchObject({ code: 'registry-forbidden' });
  expect(requests).toHaveLength(1);
});

it('a schema that is not there has no id', async () => {
  const { options } = await registry(() => ({ status: 404, body: { error_code: 40_403, message: 'no schema' } }));
  expect(await new RegistryClient(options).idOf('s', '"int"')).toBeNull();
});

it('an answer that is no registry’s is refused', async () => {
  const { options } = await registry(() => ({ status: 200, body: { hello: 'world' } }));
  await expect(new RegistryClient(options).versions('s')).rejects.toMatchObject({ code: 'registry-answer' });
});
