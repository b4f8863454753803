"""Speech: recordings in, words out; voice activity, resampling and recognition behind one contract."""
