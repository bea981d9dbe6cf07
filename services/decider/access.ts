/** Who may call: whoever has the bearer token, where one is set. */
import { createHash, timingSafeEqual } from 'node:crypto';

export class Access {
  private readonly digest: Buffer | null;

  /** @param token `null` lets everyone in. */
  constructor(token: string | null) {
    this.digest = token === null ? null : sha256(`Bearer ${token}`);
  }

  /** Takes the same time for every wrong header. @param authorization the header, such as `Bearer …`. */
  allows(authorization: string | undefined): boolean {
    return this.digest === null || timingSafeEqual(this.digest, sha256(authorization ?? ''));
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
