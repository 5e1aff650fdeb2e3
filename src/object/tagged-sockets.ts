/**
 * The hibernating sockets of one kind. The runtime is their only lasting list; asking it takes longer than most of what
 * an update of progress does, so its answer is remembered until a socket comes or goes.
 */
export class TaggedSockets {
  readonly #context: DurableObjectState;
  readonly #tag: string;
  #known: WebSocket[] | null = null;

  constructor(context: DurableObjectState, tag: string) {
    this.#context = context;
    this.#tag = tag;
  }

  /** Some may be closing: what is sent to such a one throws. */
  list(): readonly WebSocket[] {
    this.#known ??= this.#context.getWebSockets(this.#tag);
    return this.#known;
  }

  accept(socket: WebSocket): void {
    this.#context.acceptWebSocket(socket, [this.#tag]);
    this.forget();
  }

  /** A socket has gone. */
  forget(): void {
    this.#known = null;
  }
}
