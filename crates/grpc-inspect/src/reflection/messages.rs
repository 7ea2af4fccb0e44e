//! The messages of the reflection service, as far as they are needed.
