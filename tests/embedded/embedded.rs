//! Real roles, the real link and a real broker, in one process. Asserts only what a user could see.
//!
//! - `running`: a role on a thread of its own; `peer`: somebody else on the broker, by hand
//! - `devices`, `requests`: the protocols, end against end and against a peer
//! - `logins`: a broker that asks who is there
//! - `sessions`: what a stopped role leaves on the broker, and what the next run makes of it

mod devices;
mod logins;
mod peer;
mod requests;
mod running;
mod sessions;
