/** Names that lead nowhere public (RFC 6761, RFC 6762, RFC 8375, and what clouds use inside). */
const privateNames =
  /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|home\.arpa|test|invalid|example|onion)$/;

/**
 * Why a webhook may not go to an address; null when it may, as far as its spelling tells. Where its name leads must be
 * asked before each try ({@link isPublicAddress}).
 * @param ownHosts the service's own: a webhook to itself would go round in circles
 */
export function findTargetFault(text: string, ownHosts: readonly string[]): string | null {
  const url = URL.parse(text);
  if (url?.protocol !== "https:") {
    return "must be https";
  }
  // The parser has brought every spelling of an address into one: 0x7f.1 is 127.0.0.1 by now.
  const host = url.hostname.toLowerCase().replace(/\.+$/, "");
  if (url.port !== "" || url.username !== "" || url.password !== "") {
    return "must have no port and no credentials";
  }
  if (host.startsWith("[") || /^[\d.]+$/.test(host)) {
    return "must name a host, not an address";
  }
  if (!host.includes(".") || privateNames.test(host) || ownHosts.includes(host)) {
    return "must name a public host that is not this service";
  }
  return null;
}

function toNumber(address: string): number | null {
  const parts = address.split(".").map(Number);
  const isAddress = parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255);
  return isAddress ? parts.reduce((sum, part) => sum * 256 + part, 0) : null;
}

/** IANA's special-purpose IPv4 blocks: https://www.iana.org/assignments/iana-ipv4-special-registry/ */
const specialBlocks = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
  ...["192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
  ...["224.0.0.0/4", "240.0.0.0/4"],
].map((block) => {
  const [base = "", bits = ""] = block.split("/");
  return { base: toNumber(base) ?? 0, size: 2 ** (32 - Number(bits)) };
});

/** Whether an address of a DNS answer is one of the public internet. */
export function isPublicAddress(address: string): boolean {
  if (!address.includes(":")) {
    const number = toNumber(address);
    return number !== null && !specialBlocks.some(({ base, size }) => number >= base && number < base + size);
  }
  const mapped = /^(?:::ffff:|64:ff9b::)(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) {
    return isPublicAddress(mapped);
  }
  // Global unicast is 2000::/3. In it 2001::/23 is for protocols, 2001:db8::/32 and 3fff::/20 for examples, and
  // 2002::/16 carries IPv4 within: https://www.iana.org/assignments/iana-ipv6-special-registry/
  const isSpecial = /^(?:2001:(?:0?db8|0?[01]?[0-9a-f]{0,2}):|2002:|3fff:0?[0-9a-f]{0,3}:)/i;
  return /^[23][0-9a-f]{3}:/i.test(address) && !isSpecial.test(address);
}
