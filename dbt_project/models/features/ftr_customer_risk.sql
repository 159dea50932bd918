{{ risk_features() }}
