/** The one function of jstat that is used here; the package has no types of its own. */
declare module 'jstat' {
  export const jStat: {
    readonly studentt: {
      /** @returns the quantile of Student's t. */
      inv(probability: number, degreesOfFreedom: number): number;
    };
  };
}
