#!/usr/bin/env bash
# The whole recipe, from nothing to a checkpoint. usage: ./run.sh smoke | released | long
# Every stage goes on from its saved state, so that the script can be ended and started again at any time. PYTHON and NANO_WORK may be set.
set -euo pipefail
cd "$(dirname "$0")"
python="${PYTHON:-python3} -W ignore"
export NANO_WORK="${NANO_WORK:-nano-work}" PYTHONUNBUFFERED=1

case "${1:-}" in
    smoke) # a few steps of each stage, to see that everything works: minutes on one core
        utterances=120 texts="--templates 60 --words 60 --groups 20" semantic="--steps 20 --batch 4 --report 10"
        codec="--steps 24 --batch 4 --unquantized 8 --report 8 --encoder 4 --decoder 64 --judges mel"
        encoder="--steps 12 --batch 4 --report 6"
        model="--steps 20 --batch 800 --report 10 --listening 0.25" decoder="--steps 12 --batch 4 --report 6 --judges mel" sentences=2 ;;
    released) # what the released pair was made with
        utterances=24000 texts="" semantic="--steps 1300" codec="" encoder="" model="--listening 0.22" decoder="" sentences=40 ;;
    long) # for a GPU: more of everything, the discriminators, and transcription
        utterances=65000 texts="--templates 20000" semantic="--steps 4000 --batch 64" sentences=40
        codec="--steps 40000 --batch 48 --frames 25 --rate 8e-4 --judges wave --judges_start 0.15 --rest 0.3"
        encoder="--steps 20000 --batch 48"
        model="--steps 30000 --batch 24000 --rate 2e-3 --listening 0.22" decoder="--steps 20000 --batch 48 --frames 25 --judges wave" ;;
    *) sed -n 2,3p "$0"; exit 2 ;;
esac

[ -e "$NANO_WORK/texts.tsv" ] || $python texts.py $texts
parts=$(nproc)
$python -c 'import speech; speech.Synthesizer()'   # compiles it once
for part in $(seq 0 $((parts - 1))); do $python speech.py --utterances $utterances --part "$part" --parts "$parts" & done; wait
$python train_semantic.py $semantic
$python train_codec.py $codec
$python train_encoder.py $encoder
$python encode.py
$python train_language_model.py $model
$python imagine.py
$python train_decoder.py $decoder
$python export.py
$python evaluate.py --sentences $sentences
