/** Whose labels the screens carry: "ios", "android" or "other". */

export function detect({ userAgent, maxTouchPoints = 0 }) {
  if (/iPhone|iPad|iPod/.test(userAgent)) return "ios";
  if (/Macintosh/.test(userAgent) && maxTouchPoints > 1) return "ios"; // an iPad says it is a Mac
  if (/Android/.test(userAgent)) return "android";
  return "other";
}

/** Phones that are neither follow Android's order: their browsers have its parts. */
export const labelsOf = (platform) => (platform === "ios" ? "ios" : "android");
