type Route = { readonly method: string; readonly path: string };

/** From a router's routes: which methods a path takes, HEAD included where GET is. */
export function newMethodTable(routes: readonly Route[]): (path: string) => string[] {
  const table = routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => ({ method, matches: toPattern(path) }));
  return (path) => {
    const methods = new Set(table.filter(({ matches }) => matches.test(path)).map(({ method }) => method));
    return methods.has("GET") ? ["HEAD", ...methods] : [...methods];
  };
}

function toPattern(path: string): RegExp {
  const parts = path.split("/").map((part) => {
    if (part === "*") {
      return ".+";
    }
    return part.startsWith(":") ? "[^/]+" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("/")}$`);
}
