/** Two of 4,000 arms by exact Thompson sampling: the second slot is drawn from what the first has left. */
import { BetaPosteriors } from '../../services/core/numerics/beta-posteriors.ts';
import { SelectionGrid } from '../../services/core/numerics/selection-grid.ts';
import { betaTs } from '../../services/core/policies/beta-ts.ts';
import { type Bar, bar } from './bars.ts';
import { median, ratio, timesOf } from './measure.ts';
import { catalogue, decisionsOf, PARAMETERS, servedArms } from './served-arms.ts';

const ARMS = 4_000;
const NODES = 16;

export function slotBars(): readonly Bar[] {
  return [secondSlotBar(), leaveOutBar(), memoryBar()];
}

function secondSlotBar(): Bar {
  const input = catalogue(ARMS);
  const served = servedArms(input, { slots: 2 });
  const [two, one, snapshot] = timesOf(
    [
      decisionsOf(served, { slots: 2 }),
      decisionsOf(served, { slots: 1 }),
      () => betaTs.prepare(input, PARAMETERS).size,
    ],
    { rounds: 41, calls: 1 },
  );
  const share = median(two!.map((time, round) => (time - one![round]!) / snapshot![round]!));
  return bar('second slot of 4,000 arms, Beta TS, to their snapshot', share, '×', 'at most', 0.1);
}

function leaveOutBar(): Bar {
  const state = betaTs.prepare(catalogue(ARMS), PARAMETERS);
  const grid = new SelectionGrid(new BetaPosteriors(state.get('alpha')!, state.get('beta')!));
  grid.without([]);
  const cells = new Float64Array(grid.size / 2).fill(0.5);
  const sums = new Float64Array(ARMS);
  let arm = 0;
  const [leftOut, bare] = timesOf([() => grid.without([arm++ % ARMS])![0]!, () => bareMultiplyAdds(cells, sums)], {
    rounds: 101,
    calls: 5,
  });
  return bar('leaving one of 4,000 arms out, to a bare loop', ratio(leftOut!, bare!), '×', 'at most', 2);
}

/** The multiply-adds of one pass over the grid and nothing else. */
function bareMultiplyAdds(cells: Float64Array, sums: Float64Array): number {
  const terms = new Float64Array(NODES).fill(0.25);
  let arm = 0;
  for (let at = 0; at < cells.length; at += NODES) {
    let sum = 0;
    for (let k = 0; k < NODES; k++) sum += terms[k]! * cells[at + k]!;
    sums[arm]! += sum;
    arm = arm + 1 < ARMS ? arm + 1 : 0;
  }
  return sums[0]!;
}

/** After more different decisions than any memo holds. */
function memoryBar(): Bar {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run with node --expose-gc');
  gc();
  const before = process.memoryUsage().arrayBuffers;
  const decideTwo = decisionsOf(servedArms(catalogue(ARMS), { slots: 2 }), { slots: 2 });
  for (let i = 0; i < 1_000; i++) decideTwo();
  gc();
  const megabytes = (process.memoryUsage().arrayBuffers - before) / 2 ** 20;
  // Still reachable, or there would be nothing to measure.
  decideTwo();
  return bar('memory of two slots of 4,000 arms, after 1,000 decisions', megabytes, 'MB', 'at most', 80);
}
