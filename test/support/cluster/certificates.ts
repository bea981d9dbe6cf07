/** Certificates for brokers on this machine's loopback, signed by an authority of a day; openssl makes them. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../deploy/local/command.ts';

export interface Certificates {
  /** PEM file of who signed. */
  readonly authority: string;
  /** PEM file of the brokers' key and certificates, as Kafka's ssl.keystore.location takes it. */
  readonly keystore: string;
}

export async function makeCertificates(folder: string): Promise<Certificates> {
  const at = (name: string): string => join(folder, name);
  const extensions = 'subjectAltName=IP:127.0.0.1\n';
  await writeFile(at('extensions'), extensions);
  const newKey = ['-newkey', 'rsa:2048', '-noenc'];
  await openssl(
    ...['req', '-x509', ...newKey, '-days', '1', '-subj', '/CN=authority'],
    ...['-keyout', at('authority.key'), '-out', at('authority.pem')],
  );
  await openssl('req', ...newKey, '-subj', '/CN=broker', '-keyout', at('broker.key'), '-out', at('broker.csr'));
  await openssl(
    ...['x509', '-req', '-in', at('broker.csr'), '-days', '1', '-extfile', at('extensions'), '-out', at('broker.pem')],
    ...['-CA', at('authority.pem'), '-CAkey', at('authority.key'), '-CAcreateserial'],
  );
  const parts = await Promise.all(['broker.key', 'broker.pem', 'authority.pem'].map((name) => readFile(at(name))));
  await writeFile(at('keystore.pem'), Buffer.concat(parts));
  return { authority: at('authority.pem'), keystore: at('keystore.pem') };
}

async function openssl(...args: string[]): Promise<void> {
  const { exitCode, lines } = await run('openssl', args);
  if (exitCode !== 0) throw new Error(`openssl ${args.join(' ')}: ${lines.join('\n')}`);
}
