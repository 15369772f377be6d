//! Answers at random and answers with changed bytes: no panic, no late end.
