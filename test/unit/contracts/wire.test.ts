import { expect, it } from 'vitest';
import { frame, schemaIdOf, unframe } from '../../../services/contracts/wire.ts';

it('the wire format is a zero byte, four bytes of id big-endian, and the payload', () => {
  expect(frame(0x01020304, Buffer.of(9, 8)).toString('hex')).toBe('00010203040908');
  expect(unframe(Buffer.from('00fffffffe09', 'hex'))).toEqual({ schemaId: 0xfffffffe, payload: Buffer.of(9) });
});

it('bytes in another format have no schema id', () => {
  expect(schemaIdOf(Buffer.from('0100000001', 'hex'))).toBeNull();
  expect(schemaIdOf(Buffer.from('00000000', 'hex'))).toBeNull();
  expect(() => unframe(Buffer.from('01', 'hex'))).toThrow(/begin with 01/);
});
