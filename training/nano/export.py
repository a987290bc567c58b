"""Training states -> a checkpoint in the published (legacy) layout: `release/generation` (bfloat16) and `release/tokenizer` (float16).
With --import FOLDER the other way: states from a checkpoint that was exported (src/HiggsAudio.Nano/checkpoint), to train the language model
and the decoder on from; HuBERT, encoder and quantiser are final then."""
import argparse
import json
from pathlib import Path

import torch

import safetensors_file
import tokenizer
from codec import Codec, CodecConfig, load_codec
from language_model import LanguageModel, LanguageModelConfig, load_language_model
from semantic import HubertConfig
from tokenizer import SPECIAL
from workspace import RATE, RELEASE, State

FINISHED = 10 ** 9  # an imported HuBERT and an imported codec are final: their stages only write features and do nothing
POSITIONS = "semantic_model.encoder.pos_conv_embed.conv."
PUBLISHED_NAMES = {POSITIONS + "weight_g": POSITIONS + "parametrizations.weight.original0",
                   POSITIONS + "weight_v": POSITIONS + "parametrizations.weight.original1"}


def language_model_json(c):
    text = dict(model_type="llama", architectures=["LlamaForCausalLM"], vocab_size=c.vocabulary, hidden_size=c.hidden_size, head_dim=c.head_dim,
                intermediate_size=c.intermediate_size, num_hidden_layers=c.layers, num_attention_heads=c.heads, num_key_value_heads=c.kv_heads,
                hidden_act="silu", rms_norm_eps=c.epsilon, attention_bias=False, mlp_bias=False, tie_word_embeddings=False,
                max_position_embeddings=131072, rope_theta=c.rope_theta, bos_token_id=SPECIAL["<|begin_of_text|>"], eos_token_id=SPECIAL["<|end_of_text|>"],
                rope_scaling=dict(rope_type="llama3", factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192))
    return dict(
        model_type="higgs_audio", architectures=["HiggsAudioModel"], torch_dtype="bfloat16", text_config=text, audio_adapter_type="dual_ffn_fast_forward",
        audio_dual_ffn_layers=list(range(c.layers)), audio_ffn_hidden_size=c.hidden_size, audio_ffn_intermediate_size=c.intermediate_size,
        audio_embed_avg=False, audio_decoder_proj_num_layers=0, encode_whisper_embed=False, encode_audio_in_tokens=True, use_delay_pattern=True,
        skip_audio_tower=True, use_audio_out_embed_projector=False, use_audio_out_self_attention=False, audio_num_codebooks=c.codebooks,
        audio_codebook_size=c.bins, audio_stream_bos_id=c.begin, audio_stream_eos_id=c.end, audio_in_token="<|AUDIO|>", audio_out_token="<|AUDIO_OUT|>",
        audio_bos_token="<|audio_bos|>", audio_eos_token="<|audio_eos|>", audio_out_bos_token="<|audio_out_bos|>",
        audio_in_token_idx=SPECIAL["<|AUDIO|>"], audio_out_token_idx=SPECIAL["<|AUDIO_OUT|>"], audio_out_bos_token_id=SPECIAL["<|audio_out_bos|>"],
        audio_eos_token_id=SPECIAL["<|audio_eos|>"], pad_token_id=SPECIAL["<|end_of_text|>"])


def codec_json(c):
    return dict(
        n_filters=32, D=c.latent, target_bandwidths=[0.5, 1, 1.5, 2], ratios=list(c.ratios), sample_rate=RATE, bins=c.bins, n_q=c.codebooks,
        codebook_dim=c.codebook_dim, normalize=False, causal=False, semantic_techer="hubert_base_general", last_layer_semantic=True, merge_mode="concat",
        downsample_mode="step_down", semantic_mode="classic", vq_scale=1, semantic_sample_rate=16000,
        encoder_channels=c.encoder_channels, decoder_channels=c.decoder_channels, semantic_model_config=hubert_json(c.semantic))


def hubert_json(c):
    return dict(model_type="hubert", hidden_size=c.hidden_size, num_hidden_layers=c.layers, num_attention_heads=c.heads,
                intermediate_size=c.intermediate_size, conv_dim=[c.conv_channels] * 7, num_conv_pos_embeddings=128, num_conv_pos_embedding_groups=16)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1))


def export_language_model(folder):
    folder.mkdir(parents=True, exist_ok=True)
    model = load_language_model(State("language_model").load())
    safetensors_file.save(folder / "model.safetensors", {name: value.to(torch.bfloat16) for name, value in model.state_dict().items()})
    write_json(folder / "config.json", language_model_json(model.config))
    write_json(folder / "generation_config.json", dict(bos_token_id=SPECIAL["<|begin_of_text|>"], pad_token_id=SPECIAL["<|end_of_text|>"],
                                                       eos_token_id=[SPECIAL["<|end_of_text|>"], SPECIAL["<|eot_id|>"]]))
    tokenizer.write(folder)


def export_codec(folder):
    folder.mkdir(parents=True, exist_ok=True)
    codec, tensors = load_codec(State("decoder").load() or State("encoder").load() or State("codec").load()), {}
    for name, value in codec.state_dict().items():
        counts = name.endswith(("cluster_size", "inited"))  # counts may be larger than float16 can say
        tensors[PUBLISHED_NAMES.get(name, name)] = value.float() if counts else value.half()
    safetensors_file.save(folder / "model.safetensors", tensors)
    write_json(folder / "config.json", codec_json(codec.config))
    write_json(folder / "hubert_config.json", hubert_json(codec.config.semantic))


def read_codec(folder):
    """The codec of an exported checkpoint."""
    values = json.loads((folder / "config.json").read_text())
    heard = values["semantic_model_config"]
    semantic = HubertConfig(heard["hidden_size"], heard["num_hidden_layers"], heard["num_attention_heads"], heard["intermediate_size"], heard["conv_dim"][0])
    codec = Codec(CodecConfig(values["encoder_channels"], values["decoder_channels"], values["D"], values["n_q"], values["bins"], values["codebook_dim"],
                              tuple(values["ratios"]), semantic))
    own_names = {published: name for name, published in PUBLISHED_NAMES.items()}
    codec.load_state_dict({own_names.get(name, name): value.float() for name, value in safetensors_file.load(folder / "model.safetensors").items()})
    return codec.eval()


def read_language_model(folder):
    values = json.loads((folder / "config.json").read_text())
    text = values["text_config"]
    model = LanguageModel(LanguageModelConfig(text["hidden_size"], text["num_hidden_layers"], text["num_attention_heads"], text["num_key_value_heads"],
                                              text["head_dim"], text["intermediate_size"], text["vocab_size"], values["audio_num_codebooks"],
                                              values["audio_codebook_size"], text["rope_theta"], text["rms_norm_eps"]))
    model.load_state_dict({name: value.float() for name, value in safetensors_file.load(folder / "model.safetensors").items()})
    return model.eval()


def import_states(folder):
    codec, model = read_codec(folder / "tokenizer"), read_language_model(folder / "generation")
    State("semantic").save(step=FINISHED, model=codec.semantic_model.state_dict(), probe=None, optimizer=None)
    State("codec").save(step=FINISHED, config=codec.config.to_dict(), model=codec.state_dict(), optimizer=None, adversary=None)
    State("language_model").save(step=0, config=model.config.to_dict(), model=model.state_dict(), optimizer=None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--import", dest="source", type=Path)
    arguments = parser.parse_args()
    if arguments.source:
        import_states(arguments.source)
        return
    export_language_model(RELEASE / "generation")
    export_codec(RELEASE / "tokenizer")
    for path in sorted(RELEASE.glob("*/*")):
        print(path.relative_to(RELEASE), path.stat().st_size)


if __name__ == "__main__":
    main()
