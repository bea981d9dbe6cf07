import { expect, it } from 'vitest';
import { frame, HEADER_BYTES, schemaIdOf, writerIdOf } from '../../../services/contracts/wire.ts';

it('the wire format is a zero byte, four bytes of id big-endian, and the payload', () => {
  expect(frame(0x01020304, Buffer.of(9, 8)).toString('hex')).toBe('00010203040908');
  const framed = frame(0xfffffffe, Buffer.of(9));
  expect([writerIdOf(framed), framed.subarray(HEADER_BYTES)]).toEqual([0xfffffffe, Buffer.of(9)]);
});

it('bytes in another format have no schema id', () => {
  expect(schemaIdOf(Buffer.from('0100000001', 'hex'))).toBeNull();
  expect(schemaIdOf(Buffer.from('00000000', 'hex'))).toBeNull();
  expect(() => writerIdOf(Buffer.from('01', 'hex'))).toThrow(/begin with 01/);
});
