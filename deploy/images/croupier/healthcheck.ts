/** Purpose: a container's health check, `node healthcheck.ts URL`: exits 0 only on a 2xx answer. Owns nothing. */

const url = process.argv[2];
if (url === undefined) {
  process.stderr.write('usage: healthcheck.ts URL\n');
  process.exit(2);
}
try {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  if (!response.ok) {
    process.stderr.write(`${url} answered ${response.status}: ${await response.text()}\n`);
    process.exitCode = 1;
  }
} catch (error) {
  process.stderr.write(`${url} does not answer: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
