/**
 * What wrangler.toml allows: requests of a caller to the API, and of an address without a valid credential. The counts
 * are Cloudflare's, per location. A test holds these figures against wrangler.toml.
 */
export const rateLimits = {
  API_LIMIT: { name: "api", limit: 12_000, periodSeconds: 60 },
  STRANGER_LIMIT: { name: "stranger", limit: 1_200, periodSeconds: 60 },
} as const;
