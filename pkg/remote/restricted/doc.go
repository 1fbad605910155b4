// Package restricted serves what an ssh key with a forced command may do with
// rsync: "rrsync DIR" in one process. It takes the command that the client has
// asked for apart itself, checks it against the key's [Policy], and serves it
// below confined roots. No shell and no second program sees any of it, so that
// nothing can change between the check and the use.
//
//	req, err := restricted.Parse(os.Getenv("SSH_ORIGINAL_COMMAND"))
//	key, err := restricted.Open(policy, dirs)
//	defer key.Close()
//	result, err := key.Serve(ctx, req, conn)
//
// What is refused is refused in the protocol wherever the client can be told
// in it, so that one clear line is all that it shows.
package restricted
