/* Nothing behind the nine functions that TensorRT's Python bindings link to, so that they import without TensorRT:
   their classes, enums and signatures are then the real ones, and nothing they make works. One file stands for
   libnvinfer, libnvonnxparser and libnvinfer_plugin. No header and no C library: a bare compiler is enough. */
void *createInferBuilder_INTERNAL(void *logger, int version) { return 0; }
void *createInferRefitter_INTERNAL(void *engine, void *logger, int version) { return 0; }
void *createInferRuntime_INTERNAL(void *logger, int version) { return 0; }
void *createNvOnnxParser_INTERNAL(void *network, void *logger, int version) { return 0; }
void *createNvOnnxParserRefitter_INTERNAL(void *refitter, void *logger, int version) { return 0; }
int getNvOnnxParserVersion(void) { return 0; }
unsigned char initLibNvInferPlugins(void *logger, const char *space) { return 0; }
void *getPluginRegistry(void) { return 0; }
void *getBuilderPluginRegistry(int capability) { return 0; }
