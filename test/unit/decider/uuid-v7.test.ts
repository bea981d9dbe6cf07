import { describe, expect, it } from 'vitest';
import { uuidV7 } from '../../../services/decider/uuid-v7.ts';

describe('a UUID of version 7', () => {
  it('is that of RFC 9562, appendix A.6', () => {
    const random = Buffer.from('0cc3' + '18c4dc0c0c07398f', 'hex');
    expect(uuidV7(0x017f22e279b0, random)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  });

  it('sorts by time', () => {
    const greatest = Buffer.alloc(10, 0xff);
    const smallest = Buffer.alloc(10);
    expect(uuidV7(1_000, greatest) < uuidV7(1_001, smallest)).toBe(true);
  });
});
