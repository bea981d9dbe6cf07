/** What each contender is measured by. */
export interface Rate {
  readonly events: number;
  readonly eventsPerSecond: number;
  /** Of the whole process, all its threads. */
  readonly cpuUsPerEvent: number;
}
