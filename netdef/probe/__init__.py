"""Questions put to a trained net by way of its gradients: inversion, saliency, adversarial inputs, receptive fields."""
