/**
 * The version of the job object's RPC, its first argument: while a release is deployed, Workers of one meet objects of
 * another. Arguments are only ever appended; a change of meaning raises the number.
 */
export const rpcVersion = 1;
