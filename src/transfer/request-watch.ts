// Whether a request is still wanted: not behind a shut gate, and not for more than the speed limit of now lets one ask for.

import type { Gate } from "./gate.ts";
import type { Limiter } from "./limiter.ts";

export interface RequestWatch {
  isWanted(): boolean;
  stop(): void;
}

/** Watches over one request until it is stopped: `giveUp` is called when it is not wanted any more. */
export function watchRequest(
  { gate, limiter }: { readonly gate: Gate; readonly limiter: Limiter },
  request: { restBytes(): number; giveUp(): void },
): RequestWatch {
  const isTooLarge = (): boolean => request.restBytes() > (limiter.requestBytes ?? Number.POSITIVE_INFINITY);
  const stopGate = gate.onShut(() => request.giveUp());
  const stopLimiter = limiter.onLowered(() => {
    if (isTooLarge()) request.giveUp();
  });
  return {
    isWanted: () => gate.isOpen && !isTooLarge(),
    stop: () => {
      stopGate();
      stopLimiter();
    },
  };
}
