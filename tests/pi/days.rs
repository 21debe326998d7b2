//! Days on which nothing works: a device ends in a retry and one clear line, never in a crash.
