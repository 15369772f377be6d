//! Descriptors, ports and memory taken away and given back: nobody is blamed for them.
