// What a file's name says of what is in it. Names only: contents are judged where bytes are.

/** Formats that run code of their author when a program loads or opens them. */
const PICKLES = "pkl|pickle|pckl|pk|p|dill|cloudpickle|joblib|pt|pt2|pth|ckpt|bin|mar|nemo|t7|npy|npz";
const OTHER_FORMATS = "h5|hdf5|keras|pb|rds|rdata|ipynb|jar|llamafile";
const SCRIPTS =
  "py|pyw|pyc|pyd|pyz|whl|egg|sh|bash|zsh|fish|csh|bat|cmd|ps1|psm1|vbs|wsf|hta|js|mjs|cjs|lua|rb|pl|php|tcl|scpt";
const PROGRAMS = "exe|com|msi|scr|cpl|lnk|reg|dll|so|dylib|deb|rpm|apk|pkg|dmg|appimage|run|desktop|command";
const RUNS_CODE = new RegExp(`\\.(?:${[PICKLES, OTHER_FORMATS, SCRIPTS, PROGRAMS].join("|")})$`, "i");
const WEIGHTS = /\.(?:safetensors|gguf|ggml|onnx|tflite|msgpack|ot|pte|mlmodel|npz)$/i;
/** Copies of the same weights for other frameworks. */
const OTHER_FRAMEWORKS = /\.(?:h5|hdf5|msgpack|ot)$/i;
/** whisper.cpp's own format: tensors only, in spite of its ending. */
const WHISPER_CPP = /^ggml-[^/]*\.bin$/i;

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The path without its last part; empty at the top. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Whether loading a file of this name can run code of its author. */
export function runsCode(path: string): boolean {
  return RUNS_CODE.test(path) && !WHISPER_CPP.test(baseName(path));
}

/** Whether a file of this name holds a model's weights in a format that is only data. */
export function isSafeWeights(path: string): boolean {
  return (WEIGHTS.test(path) && !runsCode(path)) || WHISPER_CPP.test(baseName(path));
}

/** Whether a file of this name repeats the weights for another framework. */
export function isOtherFramework(path: string): boolean {
  return OTHER_FRAMEWORKS.test(path);
}

export function isSafetensors(path: string): boolean {
  return /\.safetensors$/i.test(path);
}

export function isGguf(path: string): boolean {
  return /\.gguf$/i.test(path);
}
