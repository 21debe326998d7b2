//! Real roles, the real link and a real broker, in one process. Asserts only what a user could see.

mod devices;
mod logins;
mod peer;
mod requests;
mod running;
mod sessions;
