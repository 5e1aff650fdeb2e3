/**
 * Text of others (RunPod, a handler) made fit to store and show: control characters and lone surrogates out, white
 * space folded, cut to a length.
 */
export function toCleanText(text: string, maxCharacters = 500): string {
  if (text.length <= maxCharacters && /^(?:[!-~]+(?: [!-~]+)*)?$/.test(text)) {
    return text;
  }
  const folded = text
    .slice(0, maxCharacters * 4)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\uFFFD]+/gu, " ")
    .replace(/\s+/g, " ")
    .trim();
  return folded.length <= maxCharacters ? folded : `${folded.slice(0, maxCharacters - 1).toWellFormed()}…`;
}
