//! Transcripts: what a real server answered once, to check the model where there is none.
