"""What was meant by a name that does not exist: the nearest one, or the one of another library."""

from difflib import get_close_matches

#: By value as other libraries and papers call it, what skae calls it; of several, the one there is.
VALUES = {
    "squared_error": "mse l2 l2_loss mse_loss mean_squared_error euclidean gaussian",
    "absolute_error": "mae l1 l1_loss mae_loss mean_absolute_error",
    "huber": "smooth_l1 smooth_l1_loss huber_loss",
    "binary_cross_entropy": "bce bce_loss bce_with_logits bce_with_logits_loss cross_entropy "
    "log_loss logistic bernoulli",
    "ssim": "ms_ssim structural_similarity dssim",
    "identity": "linear none",
    "silu": "swish silu6 mish",
    "relu": "relu6 rectifier",
    "leaky_relu": "lrelu prelu",
    "sigmoid": "logistic",
    "tanh": "hyperbolic_tangent",
    "dense": "mlp fc fully_connected linear feed_forward",
    "conv": "cnn conv1d conv2d convolution convolutional image images",
    "recurrent": "rnn lstm gru sequence sequences",
    "lstm": "rnn recurrent seq2seq",
    "tabular": "table mixed categorical",
    "transformer": "attention",
    "one_cycle": "one_cycle_lr super_convergence",
    "cosine": "cosine_annealing cosine_annealing_lr",
    "rmsprop": "rms",
    "gaussian": "normal noise gaussian_noise mse squared_error",
    "bernoulli": "binary bce binary_cross_entropy sigmoid",
    "masking": "mask zero zeros dropout",
    "swap": "swap_noise shuffle permutation permute",
    "salt_and_pepper": "sp s&p impulse",
    "topk": "k_sparse top",
    "kl": "kl_divergence kullback_leibler",
    "bpe": "subword byte_pair_encoding wordpiece",
    "word": "words whitespace",
    "char": "character characters",
    "chrf": "chrf++",
    "bleu": "sacrebleu",
    "batch": "batch_norm batch_normalization",
    "layer": "layer_norm layer_normalization",
    "cuda": "gpu nvidia",
    "from_dtype": "auto infer",
}

#: By parameter as other libraries call it, what skae calls it; of several, the one there is.
PARAMETERS = {
    "n_components": "latent_dim latent_dims latent_size latent_features encoding_dim encoded_size "
    "code_size code_dim bottleneck bottleneck_size bottleneck_dim embedding_dim z_dim latent "
    "n_latent n_latent_dims n_codings codings_size dim",
    "hidden_layer_sizes": "hidden_dims hidden_sizes hidden_layers hidden_units hidden_neurons "
    "hidden_neuron_list hidden_size hidden_dim hidden layers layer_sizes layer_dims units neurons "
    "encoder_layers decoder_layers encoder_neurons decoder_neurons encoder_sizes n_hidden n_layers",
    "max_epochs": "epochs n_epochs epoch num_epochs nb_epochs nb_epoch epoch_num n_iter max_iter "
    "n_iterations iterations",
    "lr": "learning_rate learning_rate_init learn_rate eta step_size",
    "lr_schedule": "scheduler lr_scheduler learning_rate_schedule schedule",
    "batch_size": "batch minibatch_size",
    "flips": "flip random_flip horizontal_flip vertical_flip hflip mirror",
    "max_shift": "shift translate translation random_translation width_shift_range "
    "height_shift_range",
    "max_rotation": "rotation rotate degrees random_rotation rotation_range",
    "max_crop": "crop crops random_crop random_resized_crop zoom zoom_range random_zoom",
    "max_brightness": "brightness brightness_range random_brightness color_jitter",
    "shuffle_channels": "channel_shuffle channel_permutation random_channel_permutation",
    "random_state": "seed random_seed rng",
    "loss": "criterion loss_fn loss_func loss_function objective reconstruction_loss",
    "likelihood": "loss criterion loss_fn loss_function reconstruction_loss",
    "device": "gpu cuda use_gpu use_cuda device_type accelerator",
    "weight_decay": "alpha l2 l2_reg l2_penalty l2_regularizer regularization",
    "patience": "n_iter_no_change early_stopping_patience n_epochs_no_change",
    "validation_fraction": "validation_split val_split val_fraction val_size validation_size",
    "max_grad_norm": "grad_clip clip_grad gradient_clip gradient_clip_val clip_norm clipnorm",
    "optimizer_params": "momentum betas optimizer_kwargs optimizer_args nesterov",
    "optimizer": "solver optim",
    "activation": "activation_fn act hidden_activation hidden_activation_name nonlinearity",
    "output_activation": "out_activation final_activation decoder_activation",
    "dropout": "dropout_rate dropout_p p_dropout drop",
    "normalization": "batch_norm batch_normalization use_batch_norm layer_norm norm",
    "tied_weights": "tie_weights tied",
    "channels": "filters n_filters n_channels out_channels conv_channels features",
    "kernel_size": "kernel kernel_sizes kernels",
    "crop_size": "patch_size patch_shape crop crop_shape random_crop tile_size",
    "image_shape": "input_shape img_shape image_size img_size shape input_size",
    "cell": "rnn_type cell_type rnn",
    "hidden_size": "hidden_dim n_hidden units d_model embed_dim",
    "noise_level": "noise noise_std noise_factor noise_variance corruption_level noise_rate sigma",
    "corruption": "noise_type",
    "beta": "kl_weight beta_weight kld_weight",
    "tc_weight": "beta_tc tc_beta total_correlation lambda_tc",
    "contamination": "nu threshold outlier_fraction fraction anomaly_rate",
    "categorical_features": "categorical cat_features categorical_columns cat_cols",
    "cv": "n_folds folds n_splits",
    "param_grid": "params grid parameters param_distributions",
    "param_distributions": "params distributions parameters param_grid",
    "n_iter": "n_candidates n_trials",
    "n_jobs": "jobs n_workers num_workers n_processes n_threads",
    "n_estimators": "n_models n_members",
    "estimator": "model base_estimator detector autoencoder",
    "vocabulary_size": "vocab_size",
    "beam_size": "num_beams n_beams beam_width",
    "detector": "estimator model base_estimator scorer",
    "alpha": "q risk contamination nu outlier_fraction false_alarm_rate fpr",
    "depth": "d",
    "window": "window_size window_length win_size win_len seq_len sequence_length n_steps lookback "
    "slidingwindow subsequence_length",
    "causal": "online streaming is_causal",
    "tail_fraction": "level init_level",
    "verbose": "verbosity progress progress_bar",
    "warm_start": "resume",
}


#: What to do about parameters that other libraries have, and skae has elsewhere.
REMEDIES = {
    "input_dim input_dims input_size in_features n_features n_features_in num_features dim_in": (
        "Leave it out: it is learned from X."
    ),
    "contamination nu threshold outlier_fraction": (
        "Thresholds are set by OutlierDetector(<this>, contamination=...)."
    ),
    "preprocessing standardize scale scaler scaling normalize normalize_inputs": (
        "Put a scaler before it, as make_pipeline(StandardScaler(), <this>)."
    ),
    "noise noise_level noise_std noise_factor corruption corruption_level": (
        "DenoisingAutoencoder has noise."
    ),
    "beta kl_weight likelihood prior tc_weight": "VariationalAutoencoder has it.",
    "sparsity k l1 l1_penalty sparsity_weight": "SparseAutoencoder has sparse codes.",
    "kernel_size kernel channels filters image_shape": "ConvAutoencoder has it, and Conv.",
    "cell rnn_type": "RecurrentAutoencoder has it, and Recurrent.",
    "categorical_features": "TabularAutoencoder has it, and Tabular.",
}


def _plain(name):
    """Return a name without what spellings differ in."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def same(name, known, others=VALUES):
    """Return the known name that is spelled or called otherwise here, or None.

    Parameters
    ----------
    name : str
    known : iterable of str
    others : dict, default=VALUES
        By known name, what else it is called, separated by spaces.
    """
    plain = _plain(name)
    spelled = {_plain(one): one for one in known}
    called = {_plain(other): one for one in known for other in others.get(one, "").split()}
    return spelled.get(plain) or called.get(plain)


def similar(name, known):
    """Return the known name that is most similar, or None if none is."""
    plain = {_plain(one): one for one in known}
    found = get_close_matches(_plain(name), plain, n=1, cutoff=0.63)
    return plain[found[0]] if found else None


def remedy(name):
    """Say what to do about a parameter that skae has elsewhere, or return nothing."""
    texts = (text for names, text in REMEDIES.items() if name.casefold() in names.split())
    return next(texts, "")


def did_you_mean(name, known, others=VALUES):
    """Return ``" Did you mean 'known name'?"``, or nothing if no known name is near."""
    found = same(name, known, others) or similar(name, known)
    return f" Did you mean {found!r}?" if found else ""
