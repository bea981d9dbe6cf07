import { openSegmentStore } from '../../services/platform/store/segments/store.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import { seededRandom } from '../../services/core/random.ts';
import { rmSync, cpSync } from 'node:fs';
import assert from 'node:assert';
for (let seed = 1; seed <= Number(process.argv[2] ?? 3); seed++) {
  const folder = '/tmp/fuzzstore'; rmSync(folder, { recursive: true, force: true });
  const r = seededRandom(seed); const int = (n: number) => Math.floor(r.next() * n);
  const open = (f = folder) => openSegmentStore({ folder: f, cacheBytes: 16e6, onUnreadable: (e) => { throw e; } });
  let store = await open(); const mem = new MemoryStore(); let clock = 0;
  const units = 3000; const big = r.next() < 0.5 ? 20000 : 3000;
  const check = (s: typeof store) => { for (let u = 0; u < units; u++) { const k = (u % 7 === 0 ? 'ü' : 'u') + u; assert.deepEqual(s.get(k) && Buffer.from(s.get(k)!), mem.get(k), k); }
    assert.deepEqual(s.names().sort(), mem.names().sort()); for (const n of mem.names()) assert.deepEqual(Buffer.from(s.getNamed(n)!), mem.getNamed(n)); };
  for (let c = 0; c < 150; c++) {
    for (let i = 0; i < 200; i++) {
      const u = int(units); const k = (u % 7 === 0 ? 'ü' : 'u') + u;
      assert.deepEqual(store.get(k) && Buffer.from(store.get(k)!), mem.get(k));
      if (r.next() < 0.2) { store.delete(k); mem.delete(k); }
      else { const v = Buffer.alloc(int(big), c); const due = r.next() < 0.1 ? Infinity : clock + 1 + int(500); store.put(k, v, due); mem.put(k, v, due); }
    }
    store.putNamed('h', Buffer.from('x' + c)); mem.putNamed('h', Buffer.from('x' + c));
    clock += int(10);
    for (;;) { const a = store.takeDue(clock, 1000).sort(), b = mem.takeDue(clock, 1000).sort(); assert.deepEqual(a, b, 'due ' + c); if (!a.length) break;
      for (const k of a) if (r.next() < 0.5) { store.delete(k); mem.delete(k); } else { const v = Buffer.alloc(int(big), c); store.put(k, v, clock + 100); mem.put(k, v, clock + 100); } }
    await store.commit();
    if (r.next() < 0.1) { // crash: copy the folder as it is, uncommitted things lost
      await (store as any).checkpoint;
      store.put('lost', Buffer.alloc(10), 1); (store as any).active && 0;
      rmSync('/tmp/fuzzcopy', { recursive: true, force: true }); cpSync(folder, '/tmp/fuzzcopy', { recursive: true, filter: (s) => !s.endsWith('lock') });
      const again = await open('/tmp/fuzzcopy'); check(again); assert.equal(again.get('lost'), undefined);
      await store.close(); rmSync(folder, { recursive: true, force: true }); await again.close(); cpSync('/tmp/fuzzcopy', folder, { recursive: true, filter: (s) => !s.endsWith('lock') });
      store = await open();
    }
  }
  check(store); const st = (store as any).state; console.log('seed', seed, 'ok', 'segments', st.segments.size, 'units', st.index.size, 'commits', st.commits, [...st.segments.values()].map((s: any) => `${s.number}:${s.live}/${s.records}`).join(' '));
  await store.close();
}
