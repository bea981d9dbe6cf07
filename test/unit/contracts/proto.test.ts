import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import { expect, it } from 'vitest';

const path = fileURLToPath(new URL('../../../schemas/proto/croupier/v1/decider.proto', import.meta.url));

it('the decider offers Decide, DecideBatch and Reward', () => {
  const service = loadSync(path)['croupier.v1.Decider'];
  expect(Object.keys(service ?? {})).toEqual(['Decide', 'DecideBatch', 'Reward']);
});

it('every service, call, message, field and symbol has a comment', () => {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.trim());
  const bare = lines.filter(
    (line, index) => /^(service|rpc|message|enum|oneof)\b|= \d+;$/.test(line) && !lines[index - 1]?.startsWith('//'),
  );
  expect(bare).toEqual([]);
});
