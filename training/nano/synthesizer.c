/* Speech with timings from flite's built-in voices. Each line of the input is VOICE <tab> STRETCH <tab> TEXT; for each one it writes
   int32: samples, rate, phones, words; int16: the samples; per phone char[8] name, float end; per word char[32] name, float start, end. */
#include <flite/flite.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cst_voice *register_cmu_us_slt(const char *);
cst_voice *register_cmu_us_rms(const char *);
cst_voice *register_cmu_us_awb(const char *);

static int count(cst_utterance *speech, const char *relation)
{
    int n = 0;
    for (cst_item *item = relation_head(utt_relation(speech, relation)); item; item = item_next(item))
        n++;
    return n;
}

static void write_name(const char *name, size_t size)
{
    char field[32] = {0};
    strncpy(field, name, size - 1);
    fwrite(field, 1, size, stdout);
}

static void write_phones(cst_utterance *speech)
{
    for (cst_item *phone = relation_head(utt_relation(speech, "Segment")); phone; phone = item_next(phone)) {
        float end = item_feat_float(phone, "end");
        write_name(item_name(phone), 8);
        fwrite(&end, sizeof end, 1, stdout);
    }
}

static void write_words(cst_utterance *speech)
{
    for (cst_item *word = relation_head(utt_relation(speech, "Word")); word; word = item_next(word)) {
        float times[2] = {
            flite_ffeature_float(word, "R:SylStructure.daughter1.daughter1.R:Segment.p.end"),
            flite_ffeature_float(word, "R:SylStructure.daughtern.daughtern.R:Segment.end"),
        };
        write_name(item_name(word), 32);
        fwrite(times, sizeof times, 1, stdout);
    }
}

int main(void)
{
    static char line[65536];
    flite_init();
    cst_voice *slt = register_cmu_us_slt(NULL), *rms = register_cmu_us_rms(NULL), *awb = register_cmu_us_awb(NULL);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        char *name = strtok(line, "\t"), *stretch = strtok(NULL, "\t"), *text = strtok(NULL, "\t");
        if (!text) {
            fprintf(stderr, "expected VOICE <tab> STRETCH <tab> TEXT\n");
            return 1;
        }
        cst_voice *voice = !strcmp(name, "rms") ? rms : !strcmp(name, "awb") ? awb : slt;
        feat_set_float(voice->features, "duration_stretch", (float)atof(stretch));
        cst_utterance *speech = flite_synth_text(text, voice);
        cst_wave *wave = utt_wave(speech);
        int head[4] = {wave->num_samples, wave->sample_rate, count(speech, "Segment"), count(speech, "Word")};
        fwrite(head, sizeof head, 1, stdout);
        fwrite(wave->samples, sizeof(short), (size_t)wave->num_samples, stdout);
        write_phones(speech);
        write_words(speech);
        fflush(stdout);
        delete_utterance(speech);
    }
    return 0;
}
