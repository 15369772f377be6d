//! SIGTERM at any moment, a second one, SIGSTOP and SIGCONT.
